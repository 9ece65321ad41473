-- SPDX-License-Identifier: MIT
--
-- Retracts a message: in the list a placeholder takes its place. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 mailbox  4 clients  5 collapse
-- ARGV  1 now (ms)  2 epoch of the message  3 its seq  4 life of a client (ms)
--       5 life of the keys but base (ms)
-- Out   1 if it was retracted; 0: it is not there any more, or every live client has acknowledged it
local now = ARGV[1] + 0
local record, its_key = redis.pcall('GET', KEYS[1]), KEYS[1]
local length, clients = redis.pcall('LLEN', KEYS[2]), redis.pcall('HVALS', KEYS[4])
local hung, keys = redis.pcall('LRANGE', KEYS[3], 0, 15), redis.pcall('HLEN', KEYS[5])
local met = type(record) == 'table' and record or type(length) == 'table' and length
  or clients.err and clients or hung.err and hung or type(keys) == 'table' and keys
if met then
  local first, last = 1, 5
  -- Part: met.lua
  return met
end
-- Part: record.lua
if fault then return fault end
if epoch == '0' then return 0 end

-- A message has one id: that of the epoch in which it was pushed.
local seq, its_own = ARGV[3] + 0, nil
for old, last in string.gmatch(forks, '<(%d+):(%d+)') do
  if not its_own and seq <= last + 0 then its_own = old end
end
if (its_own or epoch) ~= ARGV[2] then return 0 end

local least
for _, line in ipairs(clients) do
  -- Part: line.lua
  if not at or parked + 0 > now or seen + ARGV[4] > now then
    least = math.min(least or math.huge, at or base)
  end
end
local index = seq - base - 1
if index < 0 or index >= length or seq <= (least or 0) then return 0 end
local expires = (string.match(redis.call('LINDEX', KEYS[2], index), '^(%d+) ') or 1) + 0
if expires ~= 0 and expires <= now then return 0 end

-- In a Redis that is full this makes room: it begins with a write that takes no memory.
redis.call('HDEL', KEYS[5], ' ')
local unacked_key, collapse_key = KEYS[2], KEYS[5]
-- Part: withdraw.lua
redis.call('PEXPIRE', collapse_key, ARGV[5])
if bytes then
  redis.call('SET', KEYS[1],
    string.format('%s %.0f %.0f+%.0f%s%s', epoch, base, touched, bytes, forks, watchers), 'KEEPTTL')
end
-- Its ring must not give it to anybody any more.
local ring = '\1' .. ARGV[2] .. '-' .. ARGV[3] .. ' '
for i, element in ipairs(hung) do
  if string.sub(element, 1, #ring) == ring then
    redis.call('LSET', KEYS[3], i - 1, '\1*' .. ARGV[1])
  end
end
return 1
