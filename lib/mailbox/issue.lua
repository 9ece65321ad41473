-- SPDX-License-Identifier: MIT
--
-- Makes a new token for a user. Tokens that have expired, or can't be read, are removed. If the user
-- then has too many, the one that was made first is removed as well. Layouts: KEYS.md.
-- KEYS  1 tokens  2 notices  3 notice count
-- ARGV  1 user  2 hash of the token  3 its record  4 now (ms)  5 most tokens  6 life of notices (ms)
-- Out   how many tokens the user has now
local now = tonumber(ARGV[4])
local count, last = 1, tonumber(string.match(ARGV[3], '^%S+ %d+ (%d+)'))
local oldest, oldest_created
local gone, tokens = {}, redis.pcall('HGETALL', KEYS[1])
if tokens.err then
  local met, first, last = tokens, 1, 1
  -- Part: met.lua
  return met
end
for i = 1, #tokens, 2 do
  local created, expires = string.match(tokens[i + 1], '^%S+ (%d+) (%d+)')
  created, expires = tonumber(created), tonumber(expires)
  if not expires or expires <= now then
    gone[#gone + 1] = tokens[i]
  else
    count = count + 1
    last = math.max(last, expires)
    if not oldest or created < oldest_created then oldest, oldest_created = tokens[i], created end
  end
end
if count > tonumber(ARGV[5]) then
  local user, notices, number_key, life = ARGV[1], KEYS[2], KEYS[3], ARGV[6]
  -- Part: notice.lua
  gone[#gone + 1] = oldest
  count = count - 1
end
for _, hash in ipairs(gone) do redis.call('HDEL', KEYS[1], hash) end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', last - now))
return count
