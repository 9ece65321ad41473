// SPDX-License-Identifier: MIT
//
// model/envelope.h: the body of a push that names its recipients itself.
#include "model/envelope.h"

#include "model/json.h"
#include "model/names.h"
#include "tests/fuzz/fuzz.h"

namespace letterbox::fuzz {
namespace {

std::string seconds(uint64_t ms) {
  return std::to_string(ms / 1000) + '.' + std::to_string(1000 + ms % 1000).substr(1);
}

void write(JsonWriter& json, const Envelope& envelope) {
  json.begin_object().key("to");
  if (envelope.many) json.begin_array();
  for (const auto& name : envelope.to) json.string(name);
  if (envelope.many) json.end_array();
  if (envelope.type) json.key("type").string(*envelope.type);
  json.key("data").raw(envelope.data);
  if (!envelope.collapse.empty()) json.key("collapse").string(envelope.collapse);
  if (!envelope.idempotency_key.empty()) {
    json.key("idempotency_key").string(envelope.idempotency_key);
  }
  if (envelope.ttl_ms) json.key("ttl").raw(seconds(*envelope.ttl_ms));
  if (envelope.delay_ms) json.key("delay").raw(seconds(*envelope.delay_ms));
  if (envelope.at_ms) json.key("at").raw(std::to_string(*envelope.at_ms));
  json.end_object();
}

bool same(const Envelope& a, const Envelope& b) {
  return a.to == b.to && a.many == b.many && a.type == b.type && a.data == b.data &&
         a.collapse == b.collapse && a.idempotency_key == b.idempotency_key &&
         a.ttl_ms == b.ttl_ms && a.delay_ms == b.delay_ms && a.at_ms == b.at_ms;
}

void must_be_good(const Envelope& envelope) {
  must(!envelope.to.empty() && (envelope.many || envelope.to.size() == 1), "it has a recipient");
  must(!envelope.type || valid_type(*envelope.type), "its type may be used");
  const auto data = compact_json(envelope.data);
  must(data && *data == envelope.data, "its data are compact JSON");
  must(envelope.collapse.empty() || valid_collapse_key(envelope.collapse),
       "its messages may be replaced under its key");
  must(envelope.idempotency_key.empty() || valid_idempotency_key(envelope.idempotency_key),
       "its push may be repeated under its key");
  must(!envelope.ttl_ms || *envelope.ttl_ms > 0, "it lives for a while");

  JsonWriter json;
  write(json, envelope);
  const std::string printed = json.take();
  const auto again = parse_envelopes(printed);
  must(again && !again->batch && again->items.size() == 1 && again->items[0] &&
           same(*again->items[0], envelope),
       "it is read as it is printed");
}

bool is_shape_error(Code code) {
  return code == Code::missing_to || code == Code::bad_type || code == Code::bad_ttl ||
         code == Code::bad_time || code == Code::bad_collapse ||
         code == Code::bad_idempotency_key || code == Code::bad_envelope;
}

}  // namespace

void try_one(std::string_view input) {
  const auto envelopes = parse_envelopes(input);
  // (Depth counts alike: the whole document is read either way.)
  must(static_cast<bool>(envelopes) == static_cast<bool>(compact_json(input)),
       "any JSON is taken for envelopes, and nothing else");
  if (!envelopes) {
    must(envelopes.error().code == Code::bad_json, "it can only be bad JSON");
    return;
  }
  must(envelopes->batch || envelopes->items.size() == 1, "anything but an array is one envelope");
  for (const auto& item : envelopes->items) {
    if (item) {
      must_be_good(*item);
    } else {
      must(is_shape_error(item.error().code), "an item has an error of its own");
    }
  }
}

}  // namespace letterbox::fuzz
