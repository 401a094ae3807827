package atlas;

import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.CrossOriginHandler;
import org.eclipse.jetty.util.Callback;

/** CrossOriginHandler of Jetty, whose origins are regular expressions. */
public class Application extends Handler.Abstract {
  private static final String BODY = "{\"ok\":true}";

  public static void main(String[] args) throws Exception {
    String origin = System.getenv("ORIGIN");
    CrossOriginHandler cors = new CrossOriginHandler();
    cors.setAllowedOriginPatterns(Set.of(origin.replace(".", "\\.")));
    cors.setAllowedMethods(new LinkedHashSet<>(List.of("GET", "PUT")));
    cors.setAllowedHeaders(new LinkedHashSet<>(List.of("x-a", "content-type")));
    cors.setExposedHeaders(Set.of("x-id"));
    cors.setAllowCredentials(true);
    cors.setPreflightMaxAge(Duration.ofSeconds(600));
    cors.setHandler(new Application());
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    connector.setPort(Integer.parseInt(System.getenv("PORT")));
    server.addConnector(connector);
    server.setHandler(cors);
    server.start();
    server.join();
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    String path = Request.getPathInContext(request);
    if (!List.of("/ok", "/boom", "/acao").contains(path)) {
      return false;
    }
    boolean isWrite = path.equals("/ok") && request.getMethod().equals("PUT");
    if (!request.getMethod().equals("GET") && !isWrite) {
      Response.writeError(request, response, callback, 405);
      return true;
    }
    System.out.println("ran");
    switch (path) {
      case "/ok" -> response.getHeaders().add("Vary", "Accept-Encoding").add("X-Id", "1");
      case "/boom" -> throw new IllegalStateException("boom");
      default -> response.getHeaders().put("Access-Control-Allow-Origin", "*");
    }
    Content.Sink.write(response, true, BODY, callback);
    return true;
  }
}
