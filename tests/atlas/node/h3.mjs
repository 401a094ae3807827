// handleCors of h3.
import { H3, handleCors, serve } from "h3";

import { body, exposed, fail, headers, host, isAny, maxAge, methods, origin, port, ran } from "./application.mjs";

const app = new H3();
app.use((event) => {
  const answer = handleCors(event, {
    origin: isAny ? "*" : [origin],
    methods,
    allowHeaders: headers,
    exposeHeaders: exposed,
    credentials: true,
    maxAge: String(maxAge),
  });
  return answer === false ? undefined : answer;
});
const ok = (event) => {
  ran();
  event.res.headers.set("vary", "Accept-Encoding");
  event.res.headers.set("x-id", "1");
  return body;
};
app.get("/ok", ok);
app.put("/ok", ok);
app.get("/boom", fail);
app.get("/acao", (event) => {
  ran();
  event.res.headers.set("access-control-allow-origin", "*");
  return body;
});
serve(app, { port, hostname: host, silent: true });
