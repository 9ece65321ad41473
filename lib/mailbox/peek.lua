-- SPDX-License-Identifier: MIT
--
-- A light look at many mailboxes, for one parked client of each: what is there is returned as it
-- stands, so that Redis spends next to nothing on it. Changes nothing. Layouts: KEYS.md.
-- KEYS  for each client: base, unacked, clients, and mailbox if the lists are to be looked at
-- ARGV  for each client: its name
-- Out   for each client, one behind the other: base, length of unacked, the client's line, and the
--       first elements of mailbox if asked for; for what Redis refuses its error
local call, width = redis.pcall, #KEYS / #ARGV
local out, n = {}, 0
for i = 1, #ARGV do
  local at = (i - 1) * width
  out[n + 1] = call('GET', KEYS[at + 1])
  out[n + 2] = call('LLEN', KEYS[at + 2])
  out[n + 3] = call('HGET', KEYS[at + 3], ARGV[i])
  if width == 4 then out[n + 4] = call('LRANGE', KEYS[at + 4], 0, 15) end
  n = n + width
end
return out
