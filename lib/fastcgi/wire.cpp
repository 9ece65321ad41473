// SPDX-License-Identifier: MIT
#include "fastcgi/wire.h"

#include <fastcgi.h>
#include <fcgios.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

#include "base/rare.h"
#include "fastcgi/records.h"

namespace {

// The bytes that libfcgi reads before those on its descriptor.
thread_local std::span<const unsigned char> received_before;

}  // namespace

// Replaces libfcgi's own: see wire.h.
int OS_Read(int fd, char* buffer, size_t size) {
  if (received_before.empty()) return static_cast<int>(read(fd, buffer, size));
  const size_t n = std::min(size, received_before.size());
  assert(n <= size);
  std::memcpy(buffer, received_before.data(), n);
  received_before = received_before.subspan(n);
  return static_cast<int>(n);
}

namespace letterbox {

namespace {

using Field = std::string_view Request::*;

constexpr std::array<std::pair<std::string_view, Field>, 15> kFields{{
    {"REQUEST_METHOD", &Request::method},
    {"PATH_INFO", &Request::path},
    {"QUERY_STRING", &Request::query},
    {"CONTENT_TYPE", &Request::content_type},
    {"REMOTE_ADDR", &Request::remote_addr},
    {"MAILBOX_USER", &Request::mailbox_user},
    {"HTTP_AUTHORIZATION", &Request::authorization},
    {"HTTP_COOKIE", &Request::cookie},
    {"HTTP_LAST_EVENT_ID", &Request::last_event_id},
    {"HTTP_USER_AGENT", &Request::user_agent},
    {"HTTP_ORIGIN", &Request::origin},
    {"HTTP_SEC_FETCH_SITE", &Request::fetch_site},
    {"HTTP_HOST", &Request::host},
    {"HTTP_IDEMPOTENCY_KEY", &Request::idempotency_key},
    {"LETTERBOX_FORWARDED", &Request::forwarded},
}};

// Always reads the body to its end, so that the connection is ready for its next request.
void read_body(FCGX_Stream* in, size_t body_max, Request& request) {
  char piece[8192];
  int n = 0;
  while ((n = FCGX_GetStr(piece, sizeof piece, in)) > 0) {
    if (request.body_too_large) continue;
    if (request.body.size() + static_cast<size_t>(n) > body_max) {
      request.body_too_large = true;
      request.body.clear();
      request.body.shrink_to_fit();
    } else {
      request.body.append(piece, static_cast<size_t>(n));
    }
  }
}

}  // namespace

// Tries it: the descriptor has nothing to read, so the request can only come from memory.
bool libfcgi_takes_bytes() {
  static const bool takes = [] {
    FCGX_Init();
    constexpr std::string_view kResponder("\0\1\1\0\0\0\0\0", 8);
    std::string records;
    append_records(records, FCGI_BEGIN_REQUEST, 1, kResponder);
    append_records(records, FCGI_PARAMS, 1, {});
    append_records(records, FCGI_STDIN, 1, {});
    Fd nothing(memfd_create("letterbox-empty", MFD_CLOEXEC));
    if (!nothing) return false;
    FCGX_Request wire{};
    const auto* bytes = reinterpret_cast<const unsigned char*>(records.data());
    const bool read = read_wire(wire, nothing.get(), {bytes, records.size()});
    if (!read) nothing.release();
    FCGX_Free(&wire, 0);
    return read;
  }();
  return takes;
}

bool read_wire(FCGX_Request& wire, int fd, std::span<const unsigned char> received) {
  assert(fd >= 0);
  received_before = received;
  FCGX_InitRequest(&wire, -1,
                   0);  // no listening socket: a broken connection is an error, not a wait
  wire.ipcFd = fd;
  wire.keepConnection = 1;  // else libfcgi closes the connection as finished
  FCGX_Detach(&wire);       // on an error libfcgi closes at once, without waiting for the peer
  return FCGX_Accept_r(&wire) == 0;
}

GatheredWire::GatheredWire() : file_(memfd_create("letterbox-request", MFD_CLOEXEC)) {}

bool GatheredWire::read(FCGX_Request& wire, std::string_view records) {
  if (!file_) {
    *this = GatheredWire();
    if (file_) rare<"there is a descriptor for gathered requests again">();
  }
  const int fd = file_.get();
  const bool written =
      ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 &&
      write(fd, records.data(), records.size()) == static_cast<ssize_t>(records.size()) &&
      lseek(fd, 0, SEEK_SET) == 0;
  if (!written) return false;
  if (read_wire(wire, fd)) return true;
  file_.release();
  *this = GatheredWire();
  return false;
}

Request to_request(FCGX_Request& wire, size_t body_max) {
  Request request;
  for (char** entry = wire.envp; *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const size_t equals = line.find('=');
    const auto name = line.substr(0, equals);
    const auto field = std::find_if(kFields.begin(), kFields.end(),
                                    [&](const auto& f) { return f.first == name; });
    if (field != kFields.end()) request.*(field->second) = line.substr(equals + 1);
  }
  read_body(wire.in, body_max, request);

  assert(request.body.size() <= body_max);
  return request;
}

}  // namespace letterbox
