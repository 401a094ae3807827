// hapi, whose routes have `cors` without a list of methods.
import Hapi from "@hapi/hapi";

import { body, exposed, fail, headers, host, maxAge, methods, origin, port, ran } from "./application.mjs";

const cors = { origin: [origin], headers, exposedHeaders: exposed, credentials: true, maxAge };
const server = Hapi.server({ port, host, debug: false, routes: { cors } });
server.route([
  {
    method: methods,
    path: "/ok",
    handler: (request, h) => {
      ran();
      return h.response(body).header("vary", "Accept-Encoding").header("x-id", "1");
    },
  },
  { method: "GET", path: "/boom", handler: fail },
  {
    method: "GET",
    path: "/acao",
    handler: (request, h) => {
      ran();
      return h.response(body).header("access-control-allow-origin", "*");
    },
  },
]);
await server.start();
