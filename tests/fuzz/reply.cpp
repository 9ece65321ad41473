// SPDX-License-Identifier: MIT
//
// redis/reply.h: the bytes that Redis, or another server in its place, sends; read by hiredis as in
// a connection.
#include "redis/reply.h"

#include <hiredis/hiredis.h>

#include <algorithm>

#include "mailbox/keys.h"
#include "model/message.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

void look_at(const Reply& reply) {
  must(reply.came(), "an answer came");
  must(reply.ok() == reply.error().empty() || reply.failure() == Reply::Failure::refused,
       "only a failed reply has an error");
  must(!reply.must_reconnect() || reply.failure() == Reply::Failure::away,
       "a Redis that can't serve is away");
  must(!reply.no_script() || reply.failure() == Reply::Failure::refused,
       "a script that is not known is no reason to reconnect");
  must(reply.size() == 0 || (reply.text().empty() && reply.integer() == 0),
       "an array is neither text nor number");
  must(!reply.is_nil() || (reply.size() == 0 && reply.text().empty()), "nil holds nothing");
  for (size_t i = 0; i < reply.size(); ++i) look_at(reply[i]);

  // The user and message, as a lane takes them.
  if (reply.size() == 2) {
    const auto key = reply[0].text();
    const auto element = reply[1].text();
    must(mailbox_user(key).empty() || within(mailbox_user(key), key), "a user is a part of a key");
    const Ring ring = parse_ring(element);
    must(ring.element.body.empty() || within(ring.element.body, element),
         "a message is a part of the popped element");
  }
}

}  // namespace

void try_one(std::string_view input) {
  redisReader* reader = redisReaderCreate();
  // In pieces, as from a socket.
  constexpr size_t kPiece = 11;
  bool broken = false;
  while (!broken && !input.empty()) {
    const auto piece = input.substr(0, kPiece);
    input.remove_prefix(piece.size());
    broken = redisReaderFeed(reader, piece.data(), piece.size()) != REDIS_OK;
    void* reply = nullptr;
    while (!broken && (broken = redisReaderGetReply(reader, &reply) != REDIS_OK) == false &&
           reply != nullptr) {
      look_at(Reply(static_cast<redisReply*>(reply)));
      freeReplyObject(reply);
      reply = nullptr;
    }
  }
  redisReaderFree(reader);
}

}  // namespace letterbox::fuzz
