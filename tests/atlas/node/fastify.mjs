// @fastify/cors.
import cors from "@fastify/cors";
import fastify from "fastify";

import { body, exposed, fail, headers, host, isAny, maxAge, methods, origin, port, ran } from "./application.mjs";

const app = fastify();
await app.register(cors, {
  origin: isAny ? "*" : [origin],
  methods,
  allowedHeaders: headers,
  exposedHeaders: exposed,
  credentials: true,
  maxAge,
});
const ok = (request, reply) => {
  ran();
  reply.headers({ vary: "Accept-Encoding", "x-id": "1" }).send(body);
};
app.route({ method: methods, url: "/ok", handler: ok });
app.get("/boom", async () => fail());
app.get("/acao", (request, reply) => {
  ran();
  reply.header("access-control-allow-origin", "*").send(body);
});
await app.listen({ port, host });
