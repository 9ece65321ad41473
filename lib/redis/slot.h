// SPDX-License-Identifier: MIT
//
// The slot of a key in Redis Cluster, as its specification has it:
// https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model
// Pure functions, for any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace letterbox {

inline constexpr size_t kSlots = 16384;

// CRC-16/XMODEM: the polynomial 0x1021, from 0, no bit reversed.
uint16_t crc16(std::string_view bytes);

// If the key has `{...}` with something in it, that alone decides.
uint16_t slot_of(std::string_view key);

}  // namespace letterbox
