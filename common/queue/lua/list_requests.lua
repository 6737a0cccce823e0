#!lua flags=no-writes
-- A tenant's requests, newest first.
-- KEYS: 1 meta. ARGV: 1 tenant, 2 sequence before which to start, or "+inf", 3 how many at most.
-- Returns {{id, st, ab, sp, w}, …}: fields of the request hash.
--!include farm.lua
local before = ARGV[2] == '+inf' and '+inf' or '(' .. ARGV[2]
local answer = {}
for _, id in ipairs(call('ZRANGE', P .. 'requests:' .. ARGV[1], before, '-inf', 'BYSCORE', 'REV', 'LIMIT', '0', ARGV[3])) do
  local f = call('HMGET', P .. 'request:' .. id, 'st', 'ab', 'sp', 'w')
  if f[1] then answer[#answer + 1] = {id, f[1], f[2], f[3], f[4]} end
end
return answer
