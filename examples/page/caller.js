// Makes one call and puts into words what the browser let the script see.
// Loaded by the page itself and, under other origins, by the frames of caller.html.

/** `call` is the object of rows.json, `url` has the call's number as its query. */
async function perform(call, url) {
  return call.websocket ? performHandshake(url) : performFetch(call, url);
}

async function performFetch({ method = "GET", credentials = "omit", headers, body, reveal = [] }, url) {
  let response;
  try {
    response = await fetch(url, { method, credentials, headers, body });
  } catch {
    // A TypeError without a reason: scripts must not learn more. The console says it.
    return "blocked";
  }
  const words = [`read ${response.status}`];
  if (response.redirected) words[0] += " after a redirect";
  const answer = await response.json().catch(() => ({}));
  if (answer.cookie) words.push("cookie sent");
  for (const name of reveal) words.push(`${name} ${response.headers.has(name) ? "visible" : "hidden"}`);
  return words.join(", ");
}

function performHandshake(url) {
  return new Promise((said) => {
    const socket = new WebSocket(url.replace(/^http/, "ws"));
    socket.onopen = () => socket.send("hello");
    socket.onmessage = ({ data }) => {
      said(data === "hello" ? "open, echoed" : "open, garbled");
      socket.close();
    };
    socket.onerror = () => said("handshake refused");
  });
}

/** In a frame: performs the calls that the page sends, and answers each under its number. */
function answerMessages() {
  addEventListener("message", async ({ data: { number, call, url } }) => {
    parent.postMessage({ number, said: await perform(call, url) }, "*");
  });
  parent.postMessage({ loaded: true }, "*");
}
