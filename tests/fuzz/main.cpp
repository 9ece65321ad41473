// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  letterbox::fuzz::try_one({reinterpret_cast<const char*>(data), size});
  return 0;
}
