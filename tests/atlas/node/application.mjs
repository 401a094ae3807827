// The settings and the routes that all applications of this folder have in common: `/ok` (GET and PUT, with a `Vary` of its own), `/boom`
// (an exception) and `/acao` (an `Access-Control-Allow-Origin` of its own). A handler that runs prints a line `ran`.
import { writeSync } from "node:fs";

const { ORIGIN, PORT } = process.env;
export const origin = ORIGIN;
export const isAny = ORIGIN === "*";
export const methods = ["GET", "PUT"];
export const headers = ["x-a", "content-type"];
export const exposed = ["x-id"];
export const maxAge = 600;
export const port = Number(PORT);
export const host = "127.0.0.1";
export const body = { ok: true };

export const ran = () => writeSync(1, "ran\n");
export const fail = () => {
  ran();
  throw new Error("boom");
};
