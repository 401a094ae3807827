package atlas;

import io.javalin.Javalin;
import io.javalin.http.Handler;

/** The CORS plugin of Javalin, which has no settings for methods and request headers. */
public class Application {
  private static final String BODY = "{\"ok\":true}";

  public static void main(String[] args) {
    String origin = System.getenv("ORIGIN");
    Handler ok = context -> {
      System.out.println("ran");
      context.res().addHeader("Vary", "Accept-Encoding");
      context.header("X-Id", "1").result(BODY);
    };
    Javalin.create(config -> {
      config.bundledPlugins.enableCors(cors -> cors.addRule(rule -> {
        if (origin.equals("*")) {
          rule.anyHost();
        } else {
          rule.allowHost(origin);
        }
        rule.allowCredentials = true;
        rule.exposeHeader("x-id");
        rule.maxAge = 600;
      }));
      config.routes.get("/ok", ok);
      config.routes.put("/ok", ok);
      config.routes.get("/boom", context -> {
        System.out.println("ran");
        throw new IllegalStateException("boom");
      });
      config.routes.get("/acao", context -> {
        System.out.println("ran");
        context.header("Access-Control-Allow-Origin", "*").result(BODY);
      });
    }).start("127.0.0.1", Integer.parseInt(System.getenv("PORT")));
  }
}
