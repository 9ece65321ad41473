-- SPDX-License-Identifier: MIT
--
-- Takes delivered events from the front of the list. Each is compared first: if this program took too
-- long, another one, or the list's cap, may already have removed it. Layouts: KEYS.md.
-- KEYS  1 letterbox:events
-- ARGV  the events, as the list has them, in its order
-- Out   how many were still there
local settled = 0
for i = 1, #ARGV do
  if redis.call('LINDEX', KEYS[1], 0) == ARGV[i] then
    redis.call('LPOP', KEYS[1])
    settled = settled + 1
  end
end
return settled
