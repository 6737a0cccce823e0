#!lua flags=no-writes
-- The tasks of a request that changed after a version, oldest change first.
-- KEYS: 1 meta. ARGV: 1 request, 2 version, 3 how many at most (1,000).
-- Returns {index, record, reasons of its attempts, index, record…}. Error: GONE.
--!include farm.lua
if call('EXISTS', P .. 'request:' .. ARGV[1]) == 0 then return redis.error_reply('GONE the request is not there') end
local indexes = call('ZRANGE', P .. 'versions:' .. ARGV[1], '(' .. ARGV[2], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[3])
local answer = {}
if #indexes == 0 then return answer end
local records = call('HMGET', P .. 'tasks:' .. ARGV[1], unpack(indexes))
local reasons = call('EXISTS', P .. 'history:' .. ARGV[1]) == 1 and call('HMGET', P .. 'history:' .. ARGV[1], unpack(indexes)) or {}
for i, index in ipairs(indexes) do
  answer[3 * i - 2] = index
  answer[3 * i - 1] = records[i]
  answer[3 * i] = reasons[i] or ''
end
return answer
