// What the front end asks of its back ends, by `fetch` and by Axios, and what came of it in words.
import axios from "axios";

/** The back ends are neighbors of the name that the page was opened under. */
const site = location.host.split(".").slice(1).join(".");
const at = (host, path) => `http://${host}.${site}${path}`;

// === fetch ===

/** `call` hears the answer's status and body; a script is told nothing but that there was none. */
async function byFetch(url, init, keep = () => {}) {
  let response;
  try {
    response = await fetch(url, { credentials: "include", ...init });
  } catch {
    return "blocked";
  }
  const body = await response.json().catch(() => ({}));
  keep(body);
  return said(response.status, body);
}

const json = (method, content, headers) => ({
  method,
  headers: { "Content-Type": "application/json", ...headers },
  body: JSON.stringify(content),
});

// === Axios ===

const client = axios.create({ withCredentials: true, validateStatus: () => true });

async function byAxios(config) {
  try {
    const { status, data } = await client.request(config);
    return said(status, data);
  } catch (error) {
    return error.code === "ERR_NETWORK" ? "blocked" : String(error);
  }
}

/** The status, and what in the body shows who the back end took the caller for. */
function said(status, body) {
  const user = body?.user === undefined ? "" : ` as ${body.user ?? "nobody"}`;
  return `read ${status}${user}`;
}

// === WebSocket ===

function bySocket(url) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url.replace(/^http/, "ws"));
    socket.onmessage = ({ data }) => {
      resolve(`open as ${JSON.parse(data).user ?? "nobody"}`);
      socket.close();
    };
    socket.onerror = () => resolve("refused");
  });
}

// === the calls, in the order in which they need each other ===

const remember = (memory) => (body) => {
  memory.token = body.csrfToken ?? memory.token;
};
const csrf = (memory) => ({ "X-CSRFToken": memory.token ?? "none" });

export const CALLS = [
  // Django without any CORS.
  { id: "csrf token", call: (memory) => byFetch(at("api", "/csrf"), {}, remember(memory)) },
  {
    id: "login",
    call: (memory) =>
      byFetch(at("api", "/login"), json("POST", { username: "alice", password: "wonderland" }, csrf(memory)), remember(memory)),
  },
  { id: "session", call: () => byAxios({ url: at("api", "/session") }) },
  { id: "orders", call: () => byAxios({ url: at("api", "/orders") }) },
  {
    id: "order",
    call: (memory) => byAxios({ url: at("api", "/orders"), method: "post", data: { item: 1 }, headers: csrf(memory) }),
  },
  { id: "order without the CSRF token", call: () => byFetch(at("api", "/orders"), json("POST", { item: 1 })) },
  { id: "orders without a login: 401", call: () => byFetch(at("api", "/orders"), { credentials: "omit" }) },
  {
    id: "orders with a token in a header",
    call: () => byAxios({ url: at("api", "/orders"), withCredentials: false, headers: { Authorization: "Token token-of-alice" } }),
  },
  { id: "reports without permission: 403", call: () => byFetch(at("api", "/reports")) },
  { id: "405 on OPTIONS", call: () => byFetch(at("api", "/stock"), json("PUT", { left: 6 })) },

  // django-cors-headers alone, then with an nginx in front that adds the same.
  { id: "django-cors-headers alone", call: () => byAxios({ url: at("tidy", "/session") }) },
  { id: "two layers, two headers", call: () => byAxios({ url: at("twice", "/session") }) },

  // Headers by hand.
  { id: "`*` with credentials", call: () => byFetch(at("star", "/star")) },
  { id: "whoever asks is allowed", call: () => byAxios({ url: at("reflected", "/reflected") }) },
  { id: "a list of origins", call: () => byFetch(at("listed", "/listed")) },
  { id: "a header doubled by its own server", call: () => byAxios({ url: at("doubled", "/doubled") }) },

  // nginx.
  { id: "nginx, 200", call: () => byFetch(at("forgetful", "/session")) },
  { id: "nginx loses its headers on a 401", call: () => byFetch(at("forgetful", "/orders"), { credentials: "omit" }) },
  { id: "a dead upstream: 502", call: () => byAxios({ url: at("dead", "/") }) },
  { id: "a static 404", call: () => byFetch(at("files", "/nothing")) },

  // A Node server behind a shared cache.
  { id: "prices from the cache", call: () => byFetch(at("cdn", "/prices")) },

  // A WebSocket, and the cookie that it trusts.
  { id: "cookie of the socket", call: () => byFetch(at("sockets", "/cookie")) },
  { id: "socket", call: () => bySocket(at("sockets", "/")) },
];
