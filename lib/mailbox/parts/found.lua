-- SPDX-License-Identifier: MIT
--
-- Part of a step: reads messages of `list`, from the index `at` (from 0) to `length`. `found` are the elements
-- in their order, without a hole, and `messages` says how many of them have not expired: at most `limit`. At
-- most `looked_most` elements are read, and no further one after `bytes_most` bytes. They are read in slices,
-- so that a full mailbox of large messages is never read whole.
local found, found_bytes, messages = {}, 0, 0
while messages < limit and at < length and found_bytes < bytes_most and #found < looked_most do
  local slice = redis.call('LRANGE', list, at, at + math.min(32, limit - messages) - 1)
  for _, element in ipairs(slice) do
    if found_bytes >= bytes_most then break end
    found[#found + 1], found_bytes = element, found_bytes + #element
    -- (An element that can't be read counts as expired, and so does a placeholder.)
    local expires = (string.match(element, '^(%d+) ') or 1) + 0
    if expires == 0 or expires > now then messages = messages + 1 end
  end
  at = at + #slice
end
