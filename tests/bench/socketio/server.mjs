// SPDX-License-Identifier: MIT
//
// The Socket.IO server that make bench measures as a rival of Letterbox: server.mjs PORT REDIS-URL.
// A client names its user when it connects, and is in the room of that name; POST /push?to=ROOM
// emits the body there.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, url] = process.argv.slice(2);
const redis = createClient({ url });
await redis.connect();

const server = createServer((request, response) => {
  const room = new URL(request.url, "http://localhost").searchParams.get("to");
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    io.to(room).emit("message", body);
    response.end("ok");
  });
});
server.keepAliveTimeout = 75_000; // longer than nginx keeps its connections

const io = new Server(server, {
  transports: ["polling"],
  serveClient: false,
  adapter: createAdapter(redis),
  connectionStateRecovery: {},
});
io.on("connection", (socket) => socket.join(socket.handshake.auth.user));

server.listen({ port, host: "127.0.0.1", backlog: 4096 });
