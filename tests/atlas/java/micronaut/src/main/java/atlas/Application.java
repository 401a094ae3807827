package atlas;

import io.micronaut.context.ApplicationContext;
import io.micronaut.http.HttpResponse;
import io.micronaut.http.annotation.Controller;
import io.micronaut.http.annotation.Get;
import io.micronaut.http.annotation.Put;
import io.micronaut.runtime.server.EmbeddedServer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** CORS of Micronaut's server. */
@Controller
public class Application {
  private static final String BODY = "{\"ok\":true}";

  public static void main(String[] args) throws InterruptedException {
    String origin = System.getenv("ORIGIN");
    String cors = "micronaut.server.cors.configurations.web.";
    Map<String, Object> properties = new HashMap<>();
    properties.put("micronaut.server.host", "127.0.0.1");
    properties.put("micronaut.server.port", System.getenv("PORT"));
    properties.put("micronaut.server.cors.enabled", true);
    // Without a list it allows any.
    if (!origin.equals("*")) {
      properties.put(cors + "allowed-origins", List.of(origin));
    }
    properties.put(cors + "allowed-methods", List.of("GET", "PUT"));
    properties.put(cors + "allowed-headers", List.of("x-a", "content-type"));
    properties.put(cors + "exposed-headers", List.of("x-id"));
    properties.put(cors + "allow-credentials", true);
    properties.put(cors + "max-age", 600);
    ApplicationContext.run(EmbeddedServer.class, properties);
    Thread.currentThread().join();
  }

  @Get("/ok")
  public HttpResponse<String> read() {
    System.out.println("ran");
    return HttpResponse.ok(BODY).header("Vary", "Accept-Encoding").header("X-Id", "1");
  }

  @Put("/ok")
  public HttpResponse<String> write() {
    return read();
  }

  @Get("/boom")
  public String boom() {
    System.out.println("ran");
    throw new IllegalStateException("boom");
  }

  @Get("/acao")
  public HttpResponse<String> own() {
    System.out.println("ran");
    return HttpResponse.ok(BODY).header("Access-Control-Allow-Origin", "*");
  }
}
