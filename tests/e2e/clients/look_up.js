// Prints the credentials that testcontainers finds for a registry: look_up.js FOLDER-OF-node_modules REGISTRY
const [folder, registry] = process.argv.slice(2);
const { getAuthConfig } = require(`${folder}/node_modules/testcontainers/build/container-runtime/auth/get-auth-config`);
getAuthConfig(registry).then((found) => {
  console.log(found ? `user ${found.username} password ${found.password}` : "no credentials");
});
