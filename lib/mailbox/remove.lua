-- SPDX-License-Identifier: MIT
--
-- Empties a mailbox and ends its epoch: every cursor handed out so far is answered by a reset.
-- Polls stay parked, and their notes with them. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 mailbox  4 clients
-- ARGV  1 now (ms)
-- Out   1 where there was a mailbox, else 0
local now = tonumber(ARGV[1])
local record = redis.call('GET', KEYS[1])
local epoch, watchers = '0', ''
if record then epoch, watchers = string.match(record, '^(%d+) %d+ %d+[^ ]*(.*)$') end
if epoch == '0' then return redis.call('DEL', KEYS[3]) end

-- The new mailbox must not get the old one's epoch, even within the same millisecond. What watches
-- and parks keeps its line for as long as that can matter.
local rest = 60000
for till in string.gmatch(watchers, ' %S+ (%d+)') do rest = math.max(rest, tonumber(till) - now) end
redis.call('SET', KEYS[1], string.format('0 0 %s%s', epoch, watchers),
  'PX', string.format('%.0f', rest))
redis.call('DEL', KEYS[2], KEYS[3])
local clients = redis.call('HGETALL', KEYS[4])
for i = 1, #clients, 2 do
  local seen, parked = string.match(clients[i + 1], '^%d+ %d+ (%d+) (%d+)')
  if tonumber(parked) > now then
    redis.call('HSET', KEYS[4], clients[i], string.format('0 0 %s %s', seen, parked))
  else
    redis.call('HDEL', KEYS[4], clients[i])
  end
end
redis.call('PEXPIRE', KEYS[4], string.format('%.0f', rest))
return 1
