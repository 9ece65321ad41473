-- SPDX-License-Identifier: MIT
--
-- Revokes the token with this id, or all tokens of a user; then signed tokens that were issued before
-- are invalid too. Every program is told to check the user again. If all are revoked, the key is
-- removed, whatever it holds. Layouts: KEYS.md.
-- KEYS  1 tokens  2 standing  3 notices  4 notice count
-- ARGV  1 user  2 id, empty: all  3 now (ms)  4 how long a signed token may live (ms)
--       5 life of notices (ms)
-- Out   how many were revoked
local all = ARGV[2] == ''
local locked, tokens = redis.pcall('HEXISTS', KEYS[2], 'locked'), redis.pcall('HGETALL', KEYS[1])
local met = type(locked) == 'table' and locked or not all and tokens.err and tokens
if met then
  local first, last = all and 2 or 1, 2
  -- Part: met.lua
  return met
end
local found = {}
for i = 1, #tokens, 2 do
  if all or string.match(tokens[i + 1], '^%S+') == ARGV[2] then found[#found + 1] = tokens[i] end
end
if #found == 0 and not all then return 0 end

local user, notices, number_key, life = ARGV[1], KEYS[3], KEYS[4], ARGV[5]
-- Part: notice.lua
if all then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[2], 'revoked', ARGV[3])
  if locked == 0 then
    local left = redis.call('PTTL', KEYS[2])
    redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.max(left, tonumber(ARGV[4]))))
  end
else
  for _, hash in ipairs(found) do redis.call('HDEL', KEYS[1], hash) end
end
return #found
