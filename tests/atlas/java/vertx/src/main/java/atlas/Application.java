package atlas;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.CorsHandler;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** CorsHandler of Vert.x. */
public class Application {
  private static final String BODY = "{\"ok\":true}";

  public static void main(String[] args) {
    Vertx vertx = Vertx.vertx();
    Router router = Router.router(vertx);
    router.route().handler(CorsHandler.create()
        .addOrigin(System.getenv("ORIGIN"))
        .allowedMethods(Set.of(HttpMethod.GET, HttpMethod.PUT))
        .allowedHeaders(new LinkedHashSet<>(List.of("x-a", "content-type")))
        .exposedHeader("x-id")
        .allowCredentials(true)
        .maxAgeSeconds(600));
    router.get("/ok").handler(Application::ok);
    router.put("/ok").handler(Application::ok);
    router.get("/boom").handler(context -> {
      System.out.println("ran");
      throw new IllegalStateException("boom");
    });
    router.get("/acao").handler(context -> {
      System.out.println("ran");
      context.response().putHeader("Access-Control-Allow-Origin", "*").end(BODY);
    });
    int port = Integer.parseInt(System.getenv("PORT"));
    vertx.createHttpServer(new HttpServerOptions().setHost("127.0.0.1").setPort(port))
        .requestHandler(router)
        .listen();
  }

  private static void ok(RoutingContext context) {
    System.out.println("ran");
    context.response().headers().add("Vary", "Accept-Encoding").add("X-Id", "1");
    context.response().end(BODY);
  }
}
