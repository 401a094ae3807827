// hono/cors on Node.js.
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { cors } from "hono/cors";

import { body, exposed, fail, headers, host, isAny, maxAge, methods, origin, port, ran } from "./application.mjs";

const app = new Hono();
app.use("*", cors({
  origin: isAny ? "*" : [origin],
  allowMethods: methods,
  allowHeaders: headers,
  exposeHeaders: exposed,
  credentials: true,
  maxAge,
}));
app.on(methods, "/ok", (context) => {
  ran();
  context.header("Vary", "Accept-Encoding");
  context.header("X-Id", "1");
  return context.json(body);
});
app.get("/boom", fail);
app.get("/acao", (context) => {
  ran();
  context.header("Access-Control-Allow-Origin", "*");
  return context.json(body);
});
serve({ fetch: app.fetch, port, hostname: host });
