// expressjs/cors on Express.
import cors from "cors";
import express from "express";

import { body, exposed, fail, headers, host, isAny, maxAge, methods, origin, port, ran } from "./application.mjs";

const app = express();
app.use(cors({
  origin: isAny ? "*" : [origin],
  methods,
  allowedHeaders: headers,
  exposedHeaders: exposed,
  credentials: true,
  maxAge,
}));
const ok = (request, response) => {
  ran();
  response.set({ Vary: "Accept-Encoding", "X-Id": "1" }).json(body);
};
app.route("/ok").get(ok).put(ok);
app.get("/boom", fail);
app.get("/acao", (request, response) => {
  ran();
  response.set("Access-Control-Allow-Origin", "*").json(body);
});
app.listen(port, host);
