-- SPDX-License-Identifier: MIT
--
-- Part of a step: looks for messages in `list` that have not expired, from the index `place` (from 0) to
-- `length`. `kept` is their number, `oldest` the index of the first, or nil. At most `most` messages are
-- looked at, and 20,000 placeholders, which do not count; in slices of about 64 KiB. Whatever is behind
-- these counts as a message that has not expired.
local kept, oldest, looked, passed = 0, nil, place, 0
local slice = 1
while looked < length and looked - place - passed < most and passed < 20000 do
  local size = 0
  slice = math.min(slice, most - (looked - place - passed))
  for _, element in ipairs(redis.call('LRANGE', list, looked, looked + slice - 1)) do
    if element == '~' then passed = passed + 1 end
    local expires = (string.match(element, '^(%d+) ') or 1) + 0
    if expires == 0 or expires > now then kept, oldest = kept + 1, oldest or looked end
    looked, size = looked + 1, size + #element
  end
  slice = math.max(1, math.min(slice * 2, math.floor(slice * 65536 / size), 100))
end
kept = kept + math.max(length - looked, 0)
