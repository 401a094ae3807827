#!/usr/bin/env bash
# The CORS plugin of Javalin 7.2.3 looks at `Origin` after the handler has run. A request of an origin that no rule names then has status 400
# with the handler's body: the write has happened, and its client is told that it failed. The server's own origin is such an origin, and browsers
# send it with each `POST` and `PUT` of a same-origin page.
#
# Output seen: javalin 7.2.3: PUT of a listed origin: 200; of the server's own origin: 400; handler runs: 2
# Needs: a Java development kit 17 or later, Maven.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>io.javalin</groupId><artifactId>javalin</artifactId><version>7.2.3</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
XML
mvn --batch-mode --quiet dependency:copy-dependencies -DoutputDirectory=lib >maven.log || { cat maven.log; exit 1; }
cat > Finding.java <<'JAVA'
import io.javalin.Javalin;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;

public class Finding {
  static final AtomicInteger RUNS = new AtomicInteger();

  public static void main(String[] arguments) throws Exception {
    Javalin server = Javalin.create(config -> {
      config.bundledPlugins.enableCors(cors -> cors.addRule(rule -> rule.allowHost("https://shop.example")));
      config.routes.put("/orders", context -> {
        RUNS.incrementAndGet();
        context.result("ordered");
      });
    }).start("127.0.0.1", 0);
    int port = server.port();
    int listed = put(port, "https://shop.example");
    int own = put(port, "http://127.0.0.1:" + port);
    System.out.println("javalin 7.2.3: PUT of a listed origin: " + listed + "; of the server's own origin: " + own
        + "; handler runs: " + RUNS.get());
    server.stop();
  }

  static int put(int port, String origin) throws Exception {
    try (Socket socket = new Socket("127.0.0.1", port)) {
      String request = "PUT /orders HTTP/1.1\r\nHost: 127.0.0.1:" + port + "\r\nOrigin: " + origin
          + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      socket.getOutputStream().write(request.getBytes());
      String line = new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
      return Integer.parseInt(line.split(" ")[1]);
    }
  }
}
JAVA
seen=$(java -cp 'lib/*' Finding.java)
echo "$seen"
[ "$seen" = "javalin 7.2.3: PUT of a listed origin: 200; of the server's own origin: 400; handler runs: 2" ]
