// SPDX-License-Identifier: MIT
//
// Chunked transfer coding, as far as nginx uses it: without extensions and trailers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace letterbox::bench {

/// /// Takes one chunk from the front of `bytes`; the last one is empty. 0: it isn't whole yet. -1:
/// it is no chunk. Else its length.
ptrdiff_t take_chunk(std::string_view bytes, std::string_view& chunk);

/// /// Takes all chunks of a body. `body` points into `bytes`, or into `joined` if there are
/// several.
ptrdiff_t join_chunks(std::string_view bytes, std::string_view& body, std::string& joined);

}  // namespace letterbox::bench
