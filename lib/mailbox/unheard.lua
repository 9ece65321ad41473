-- SPDX-License-Identifier: MIT
--
-- A message, if no client has acknowledged it. Changes nothing. Layouts: KEYS.md.
-- KEYS  1 base  2 unacked  3 clients
-- ARGV  1 epoch  2 seq
-- Out   the element; nil: a client has acknowledged the message, or it is not here any more
local record, its_key = redis.pcall('GET', KEYS[1]), KEYS[1]
local lines = redis.pcall('HVALS', KEYS[3])
local met = type(record) == 'table' and record or lines.err and lines
if met then
  local first, last = 1, 3
  -- Part: met.lua
  return met
end
-- Part: record.lua
if fault then return fault end

-- The message's number is the same in each epoch to which the mailbox has forked since.
local seq = ARGV[2] + 0
if ARGV[1] ~= epoch then
  local most = string.match(forks, '<' .. ARGV[1] .. ':(%d+)')
  if not most or seq > most + 0 then return false end
end
if seq <= base then return false end
for _, line in ipairs(lines) do
  -- Part: line.lua
  if at and at >= seq then return false end
end
return redis.call('LINDEX', KEYS[2], seq - base - 1)
