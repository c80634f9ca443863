import com.google.cloud.tools.jib.api.ImageReference;
import com.google.cloud.tools.jib.frontend.CredentialRetrieverFactory;

/** Prints the credentials that Jib finds for an image: docker's file first, then the helpers that it knows of by itself. */
class Jib {
    public static void main(String[] arguments) throws Exception {
        CredentialRetrieverFactory factory =
                CredentialRetrieverFactory.forImage(ImageReference.parse(arguments[0]), event -> System.out.println(event.getMessage()));
        var found = factory.dockerConfig().retrieve();
        if (found.isEmpty()) {
            found = factory.wellKnownCredentialHelpers().retrieve();
        }
        System.out.println(found.map(it -> "user " + it.getUsername() + " password " + it.getPassword()).orElse("no credentials"));
    }
}
