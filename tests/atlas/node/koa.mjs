// @koa/cors, which takes a function in the place of a list of origins.
import cors from "@koa/cors";
import Router from "@koa/router";
import Koa from "koa";

import { body, exposed, fail, headers, host, isAny, maxAge, methods, origin, port, ran } from "./application.mjs";

const app = new Koa();
app.silent = true;
const listed = (context) => (context.get("Origin") === origin ? origin : "");
app.use(cors({
  origin: isAny ? undefined : listed,
  allowMethods: methods,
  allowHeaders: headers,
  exposeHeaders: exposed,
  credentials: true,
  maxAge,
}));
const router = new Router();
router.register("/ok", methods, (context) => {
  ran();
  context.set({ Vary: "Accept-Encoding", "X-Id": "1" });
  context.body = body;
});
router.get("/boom", fail);
router.get("/acao", (context) => {
  ran();
  context.set("Access-Control-Allow-Origin", "*");
  context.body = body;
});
app.use(router.routes()).use(router.allowedMethods()).listen(port, host);
