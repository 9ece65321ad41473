-- SPDX-License-Identifier: MIT
--
-- What is to be known of somebody who wants to come in: how the user stands, and the token's record,
-- if it is good. Notes that the token was used, if it was. Layouts: KEYS.md.
-- KEYS  1 tokens  2 standing
-- ARGV  1 hash of the token, empty: none  2 now (ms)  3 address it came from; empty: it was not used just now
-- Out   {locked, kicked, revoked, record}, each nil where there is none
local standing = redis.pcall('HMGET', KEYS[2], 'locked', 'kicked', 'revoked')
local record = ARGV[1] ~= '' and redis.pcall('HGET', KEYS[1], ARGV[1])
local met = standing.err and standing or type(record) == 'table' and record
if met then
  local first, last = 1, 2
  -- Part: met.lua
  return met
end
if record then
  local id, created, expires, client, data =
    string.match(record, '^(%S+) (%d+) (%d+) %d+ (%S*) %S* (.*)$')
  -- (One that can't be read is as good as expired.)
  if (expires or 0) - ARGV[2] <= 0 then
    redis.call('HDEL', KEYS[1], ARGV[1])
    record = false
  elseif ARGV[3] ~= '' then
    record = table.concat({id, created, expires, ARGV[2], client, ARGV[3], data}, ' ')
    -- (A Redis that is full refuses it: whoever comes to fetch what fills it is let in all the same.)
    redis.pcall('HSET', KEYS[1], ARGV[1], record)
  end
end
return {standing[1], standing[2], standing[3], record}
