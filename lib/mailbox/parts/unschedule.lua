-- SPDX-License-Identifier: MIT
--
-- Part of a step: takes the message `id`, which is there, out of the hash `schedule_key`. Its field '' is
-- the length of all entries together, in bytes; the hash goes with the last of them. Layouts: KEYS.md.
local scheduled_bytes = redis.call('HGET', schedule_key, '')
local bytes_left = (tonumber(scheduled_bytes) or 0) - redis.call('HSTRLEN', schedule_key, id)
redis.call('HDEL', schedule_key, id)
if redis.call('HLEN', schedule_key) > (scheduled_bytes and 1 or 0) then
  redis.call('HSET', schedule_key, '', string.format('%.0f', math.max(bytes_left, 0)))
else
  redis.call('DEL', schedule_key)
end
