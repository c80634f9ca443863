import java.util.Base64;
import org.springframework.boot.buildpack.platform.docker.configuration.DockerRegistryAuthentication;
import org.springframework.boot.buildpack.platform.docker.type.ImageReference;

/** Prints the credentials that Spring Boot's build-image finds for an image. */
class SpringBoot {
    public static void main(String[] arguments) {
        String header = DockerRegistryAuthentication.configuration(null).getAuthHeader(ImageReference.of(arguments[0]));
        if (header == null) {
            System.out.println("no credentials");
            return;
        }
        String json = new String(Base64.getUrlDecoder().decode(header));
        String user = json.replaceAll("(?s).*\"username\"\\s*:\\s*\"([^\"]*)\".*", "$1");
        System.out.println("user " + user + " password found");
    }
}
