// Answers what the request's `x-answer` header asks for: the base64 of
//
//   {"status": 200, "headers": [["name", "base64 of the value's bytes"], …], "body": "text"}
//
// Header lines keep their order, their case, their doubles and their bytes. Without `x-answer` the
// answer is 200 and a JSON of the request as it arrived. `x-upstream: reached` is always added, so
// that a client can tell an answer of this server from one of a proxy. Argument: the port.
"use strict";

const http = require("node:http");
const { createHash } = require("node:crypto");

/** RFC 6455, section 1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const REACHED = ["x-upstream", "reached"];

/** What `x-answer` asks for, or null. Values become strings of one character a byte, as Node writes headers. */
function asked(request) {
  const text = request.headers["x-answer"];
  if (text === undefined) return null;
  const { status = 200, headers = [], body = "" } = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
  const lines = headers.flatMap(([name, value]) => [name, Buffer.from(value, "base64").toString("latin1")]);
  return { status, lines, body: Buffer.from(body) };
}

/** The request as it arrived: header lines in their order, doubles included, one character a byte. */
function seen({ method, url, rawHeaders }, length) {
  const headers = [];
  for (let at = 0; at < rawHeaders.length; at += 2) headers.push(rawHeaders.slice(at, at + 2));
  return Buffer.from(`${JSON.stringify({ method, path: url, headers, bodyBytes: length })}\n`);
}

async function answer(request, response) {
  let length = 0;
  for await (const part of request) length += part.length;
  let wanted;
  try {
    wanted = asked(request);
  } catch (error) {
    response.writeHead(400, ["content-type", "text/plain", ...REACHED]);
    return response.end(Buffer.from(`x-answer cannot be read: ${error.message}\n`));
  }
  wanted ??= { status: 200, lines: ["content-type", "application/json"], body: seen(request, length) };
  // Bodies are buffers: with a string Node would write the header lines in the string's encoding.
  const bodiless = request.method === "HEAD" || wanted.status === 204 || wanted.status === 304;
  const framed = wanted.lines.some((text, at) => at % 2 === 0 && /^(content-length|transfer-encoding)$/i.test(text));
  const framing = bodiless || framed ? [] : ["content-length", String(wanted.body.length)];
  response.writeHead(wanted.status, [...wanted.lines, ...framing, ...REACHED]);
  return bodiless ? response.end() : response.end(wanted.body);
}

/** A handshake is accepted, unless another answer is asked for; what comes afterwards is read and forgotten. */
function upgrade(request, socket) {
  socket.on("error", () => socket.destroy());
  let wanted;
  try {
    wanted = asked(request);
  } catch {
    wanted = { status: 400, lines: [], body: Buffer.alloc(0) };
  }
  const key = request.headers["sec-websocket-key"] ?? "";
  const accept = createHash("sha1").update(key + WEBSOCKET_GUID).digest("base64");
  const switching = ["connection", "Upgrade", "upgrade", request.headers.upgrade, "sec-websocket-accept", accept];
  const { status, lines, body } = wanted ?? { status: 101, lines: [], body: Buffer.alloc(0) };
  const framing = status === 101 ? switching : ["connection", "close", "content-length", String(body.length)];
  const all = [...framing, ...lines, ...REACHED];
  let head = `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? "Answer"}\r\n`;
  for (let at = 0; at < all.length; at += 2) head += `${all[at]}: ${all[at + 1]}\r\n`;
  socket.write(Buffer.from(`${head}\r\n`, "latin1"));
  if (status === 101) {
    // Whoever ends first ends both sides.
    socket.resume();
    socket.on("end", () => socket.end());
  } else {
    socket.end(body);
  }
}

const server = http.createServer({ insecureHTTPParser: true, maxHeaderSize: 256 * 1024 }, (request, response) => {
  answer(request, response).catch((error) => {
    console.error(`${request.method} ${request.url}: ${error.message}`);
    response.destroy();
  });
});
server.on("upgrade", upgrade);
// A proxy that keeps connections must not meet one that has just been closed.
server.keepAliveTimeout = 0;
server.headersTimeout = 0;
server.requestTimeout = 0;
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    // Requests under way are answered; connections that only wait, and WebSockets, are let go.
    setInterval(() => server.closeIdleConnections(), 100);
    setTimeout(() => process.exit(0), 3000);
  });
}
server.listen(Number(process.argv[2]), () => console.log(`listening on ${process.argv[2]}`));
