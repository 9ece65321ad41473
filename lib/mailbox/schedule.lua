-- SPDX-License-Identifier: MIT
--
-- Keeps a message that is to be pushed later, unless the user has as many as there may be. Layouts:
-- KEYS.md.
-- KEYS  1 scheduled  2 the record of an idempotent push, if it is one
-- ARGV  1 id  2 entry  3 most messages  4 most bytes  5 life of `scheduled` (ms)
--       6 the outcome, for the record  7 life of the record (ms)
-- Out   1: kept; 0: the id is taken; -1: the user has as many as there may be; a text: what the record
--       has already
local before = KEYS[2] and redis.pcall('GET', KEYS[2])
local fields = redis.pcall('HLEN', KEYS[1])
local met = type(before) == 'table' and before or type(fields) == 'table' and fields
if met then
  local first, last = 1, #KEYS
  -- Part: met.lua
  return met
end
if before then return before end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end

-- (A single message may be longer than all may be together, as in a mailbox.)
local scheduled_bytes = redis.call('HGET', KEYS[1], '')
local messages = fields - (scheduled_bytes and 1 or 0)
local bytes = (tonumber(scheduled_bytes) or 0) + #ARGV[2]
if messages >= ARGV[3] + 0 or messages > 0 and bytes > ARGV[4] + 0 then return -1 end

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], '', string.format('%.0f', bytes))
if redis.call('PTTL', KEYS[1]) < ARGV[5] + 0 then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
if KEYS[2] then redis.call('SET', KEYS[2], ARGV[6], 'PX', ARGV[7]) end
return 1
