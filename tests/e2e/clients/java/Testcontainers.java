import com.github.dockerjava.api.model.AuthConfig;
import org.testcontainers.utility.DockerImageName;
import org.testcontainers.utility.RegistryAuthLocator;

/** Prints the credentials that testcontainers finds for an image. */
class Testcontainers {
    public static void main(String[] arguments) {
        AuthConfig found = RegistryAuthLocator.instance().lookupAuthConfig(DockerImageName.parse(arguments[0]), new AuthConfig());
        if (found.getUsername() == null) {
            System.out.println("no credentials");
        } else {
            System.out.println("user " + found.getUsername() + " password " + found.getPassword());
        }
    }
}
