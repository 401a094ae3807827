// The application behind a proxy, which knows nothing of CORS.
import { createServer } from "node:http";
import { body, host, methods, port, ran } from "./application.mjs";

const answers = {
  "/ok": [200, { vary: "Accept-Encoding", "x-id": "1" }],
  "/boom": [500, {}],
  "/acao": [200, { "access-control-allow-origin": "*" }],
};
createServer((request, response) => {
  ran();
  const [status, lines] = answers[request.url] ?? [404, {}];
  const isAllowed = status === 404 || methods.includes(request.method);
  response.writeHead(isAllowed ? status : 405, { ...(isAllowed ? lines : {}), "content-type": "application/json" });
  response.end(JSON.stringify(body));
}).listen(port, host);
