-- SPDX-License-Identifier: MIT
--
-- A page of the groups, in the order of their names. A group whose last member was removed by hand is
-- forgotten. Layouts: KEYS.md.
-- KEYS  1 letterbox:groups
-- ARGV  1 begin of the names, as of ZRANGEBYLEX  2 their end  3 most groups
-- Out   {last, name, size, name, size, ...}: more groups follow `last`; empty: none do
local key, kind = KEYS[1], 'zset'
-- Part: kind.lua
if fault then return fault end
-- Part: names.lua
local most = tonumber(ARGV[3])
local names = redis.call('ZRANGEBYLEX', key, ARGV[1], ARGV[2], 'LIMIT', 0, most + 1)
local out = {#names > most and names[most] or ''}
for i = 1, math.min(most, #names) do
  local size = redis.pcall('ZCARD', start .. 'group:' .. open .. names[i] .. close)
  if size == 0 then
    redis.call('ZREM', key, names[i])
  elseif type(size) == 'number' then
    out[#out + 1] = names[i]
    out[#out + 1] = size
  end
end
return out
