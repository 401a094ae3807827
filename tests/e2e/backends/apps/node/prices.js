// A server with CORS by hand: it allows whoever asks, lets caches keep the answer, and forgets `Vary`.
// Argument: the port.
"use strict";

const http = require("node:http");

const server = http.createServer((request, response) => {
  request.resume();
  const { origin } = request.headers;
  if (origin) {
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Access-Control-Allow-Credentials", "true");
  }
  if (request.method === "OPTIONS") {
    response.setHeader("Access-Control-Allow-Methods", "GET, PUT, DELETE");
    response.setHeader("Access-Control-Allow-Headers", request.headers["access-control-request-headers"] ?? "");
    response.writeHead(204).end();
    return;
  }
  response.setHeader("Cache-Control", "public, max-age=600");
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ apples: 3, path: request.url }));
});

process.on("SIGTERM", () => process.exit(0));
server.listen(Number(process.argv[2]), () => console.log(`listening on ${process.argv[2]}`));
