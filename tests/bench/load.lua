-- Sends requests that were written and signed beforehand: records of one length in one file. Every thread has a
-- stretch of its own, so that no request is sent twice; one that runs out says so.
-- wrk -s load.lua URL -- FILE RECORD_BYTES FIRST_RECORD RECORDS_PER_THREAD
local BLOCK = 128 -- records per read

local threads = {}

function setup(thread)
   thread:set("index", #threads)
   threads[#threads + 1] = thread
end

function init(args)
   length = tonumber(args[2])
   left = tonumber(args[4])
   first = tonumber(args[3]) + index * left
   file = assert(io.open(args[1], "rb"))
   file:seek("set", first * length)
   block, at, ran_out = "", 0, 0
end

function request()
   if at >= #block then
      if left <= 0 then
         ran_out = 1
         at = 0
      else
         block = file:read(length * math.min(BLOCK, left))
         left = left - BLOCK
         at = 0
      end
   end
   at = at + length
   return block:sub(at - length + 1, at)
end

function done(summary, latency, requests)
   local out = 0
   for _, thread in ipairs(threads) do out = out + thread:get("ran_out") end
   local errors = summary.errors
   print(string.format(
      'RESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"p999_us":%d,"bad_status":%d,"broken":%d,"ran_out":%d}',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout, out))
end
