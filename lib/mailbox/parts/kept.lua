-- SPDX-License-Identifier: MIT
--
-- Part of a step: the messages in `list` from the place `place` (from 0) to `length` that have not
-- expired: how many (`kept`), and the place of the first (`oldest`, or nil). No more than `most` are
-- looked at, in slices of about 64 KiB; of what is behind them nothing is taken for expired.
local kept, oldest, looked = 0, nil, place
local slice = 1
while looked < length and looked - place < most do
  local size = 0
  slice = math.min(slice, most - (looked - place))
  for _, element in ipairs(redis.call('LRANGE', list, looked, looked + slice - 1)) do
    local expires = (string.match(element, '^(%d+) ') or 1) + 0
    if expires == 0 or expires > now then kept, oldest = kept + 1, oldest or looked end
    looked, size = looked + 1, size + #element
  end
  slice = math.max(1, math.min(slice * 2, math.floor(slice * 65536 / size), 100))
end
kept = kept + math.max(length - looked, 0)
