// A server with the middleware of Express and the options of a file, which answers what a request asks for.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const cors = createRequire(`${process.env.PACKAGES}/`)("cors");
const regex = (text) => {
  const [, source, flags] = /^\/(.*)\/(\w*)$/.exec(text) ?? [];
  return source === undefined ? text : new RegExp(source, flags);
};
const options = JSON.parse(readFileSync(process.env.SETTINGS, "utf8"));
if (Array.isArray(options.origin)) {
  options.origin = options.origin.map(regex);
}
const layer = cors(options);

createServer((request, response) => {
  layer(request, response, () => {
    response.statusCode = Number(request.headers["x-want-status"] ?? 200);
    const [name, value] = (request.headers["x-want-header"] ?? "").split("=");
    if (name) {
      response.setHeader(name, value);
    }
    response.setHeader("x-reached", "yes");
    response.end();
  });
}).listen(Number(process.env.PORT), "127.0.0.1");
