// A WebSocket server that trusts a cookie, as most do, and never looks at `Origin`. `/cookie` hands the cookie out.
// Argument: the port.
"use strict";

const http = require("node:http");
const { WebSocketServer } = require("ws");

const server = http.createServer((request, response) => {
  request.resume();
  if (request.url === "/cookie") response.setHeader("Set-Cookie", "user=alice; Path=/; SameSite=Lax; HttpOnly");
  response.setHeader("Content-Type", "application/json");
  response.end("{}");
});

new WebSocketServer({ server }).on("connection", (socket, request) => {
  const user = /(?:^|; )user=([^;]*)/.exec(request.headers.cookie ?? "")?.[1] ?? null;
  socket.send(JSON.stringify({ user }));
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => socket.terminate());
});

process.on("SIGTERM", () => process.exit(0));
server.listen(Number(process.argv[2]), () => console.log(`listening on ${process.argv[2]}`));
