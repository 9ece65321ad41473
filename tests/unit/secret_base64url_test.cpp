// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "secret/base64url.h"

namespace letterbox {
namespace {

TEST_CASE("bytes are written as RFC 4648 has it, without padding") {
  CHECK(base64url("").empty());
  CHECK(base64url("f") == "Zg");
  CHECK(base64url("fo") == "Zm8");
  CHECK(base64url("foo") == "Zm9v");
  CHECK(base64url("foobar") == "Zm9vYmFy");
  CHECK(base64url("\xFB\xFF\xFE") == "-__-");
}

TEST_CASE("bytes that were written are read back") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    CHECK(from_base64url(base64url(bytes)) == bytes);
    bytes += static_cast<char>(i * 7);
  }
}

TEST_CASE("nothing else is read") {
  for (const auto bad : {"A", "AAAAA", "Zg==", "Zm8=", "Zm9v\n", " Zm9v", "Zm 9v", "Zm9v+w",
                         "Zm9v/w", "Zh", "Zm9", "Zm9vY", "Zm9vé", "Zg.", "="}) {
    CAPTURE(bad);
    CHECK_FALSE(from_base64url(bad));
  }
  CHECK_FALSE(from_base64url(std::string("Zm9\0", 4)));
}

}  // namespace
}  // namespace letterbox
