// SPDX-License-Identifier: MIT
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <cmath>

#include "report.h"
#include "targets.h"

namespace letterbox::bench {
namespace {

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void write_text(Writer& json, const char* name, const std::string& value) {
  json.Key(name);
  json.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
}

/// JSON has no infinity; a figure without meaning is null.
void write_number(Writer& json, const std::string& name, std::optional<double> value) {
  json.Key(name.c_str());
  if (value && std::isfinite(*value)) {
    json.Double(std::round(*value * 1000) / 1000);
  } else {
    json.Null();
  }
}

void write_verdict(Writer& json, const Verdict& verdict) {
  json.Key("messages");
  json.StartObject();
  const auto count = [&](const char* name, uint64_t number) {
    json.Key(name);
    json.Uint64(number);
  };
  count("pushed", verdict.pushed);
  count("delivered", verdict.delivered);
  count("lost", verdict.lost);
  count("doubled", verdict.doubled);
  count("disordered", verdict.disordered);
  count("foreign", verdict.foreign);
  count("refused", verdict.refused);
  json.EndObject();
}

void write_samples(Writer& json, const Results::Samples& samples) {
  json.Key("rounds");
  json.StartArray();
  for (const auto& [round, sample] : samples) {
    json.StartObject();
    json.Key("round");
    json.Uint(round);
    for (const auto& [key, value] : sample.values) write_number(json, key, value);
    write_verdict(json, sample.verdict);
    if (!sample.trouble.empty()) write_text(json, "trouble", sample.trouble);
    json.EndObject();
  }
  json.EndArray();
}

void write_stack(Writer& json, const Results& results, const std::string& case_name,
                 const std::string& stack, const Results::Samples& samples) {
  json.Key(stack.c_str());
  json.StartObject();
  json.Key("median");
  json.StartObject();
  for (const std::string& key : results.keys(case_name, stack)) {
    write_number(json, key, results.median({case_name, stack, key}));
  }
  json.EndObject();
  for (const StackKind& rival : all_stacks()) {
    if (stack != kLetterbox || rival.name == stack || !results.ran(case_name, rival.name)) continue;
    json.Key((std::string("over ") + rival.name).c_str());
    json.StartObject();
    for (const std::string& key : results.keys(case_name, stack)) {
      const auto ratio = results.ratio({case_name, stack, key}, {case_name, rival.name, key});
      if (ratio) write_number(json, key, ratio);
    }
    json.EndObject();
  }
  write_samples(json, samples);
  json.EndObject();
}

void write_targets(Writer& json, const Results& results) {
  json.Key("targets");
  json.StartArray();
  for (const Target& target : judge(results)) {
    json.StartObject();
    write_text(json, "case", target.case_name);
    write_text(json, "what", target.text);
    write_text(json, "limit", target.limit);
    write_number(json, "value", target.value);
    json.Key("met");
    if (target.value) {
      json.Bool(target.met);
    } else {
      json.Null();
    }
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

std::string as_json(const Report& report) {
  rapidjson::StringBuffer buffer;
  Writer json(buffer);
  json.SetIndent(' ', 1);
  json.StartObject();
  json.Key("machine");
  json.StartObject();
  for (const auto& [name, value] : report.machine) write_text(json, name.c_str(), value);
  json.EndObject();
  json.Key("settings");
  json.StartObject();
  write_number(json, "rounds", report.options.rounds);
  write_number(json, "seconds", report.options.seconds);
  write_number(json, "scale", report.options.scale);
  json.EndObject();
  json.Key("not measured");
  json.StartArray();
  for (const std::string& reason : report.missing) json.String(reason.c_str());
  json.EndArray();
  json.Key("cases");
  json.StartObject();
  for (const auto& [name, by_stack] : report.results.all()) {
    json.Key(name.c_str());
    json.StartObject();
    for (const auto& [stack, samples] : by_stack) {
      write_stack(json, report.results, name, stack, samples);
    }
    json.EndObject();
  }
  json.EndObject();
  write_targets(json, report.results);
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + '\n';
}

}  // namespace letterbox::bench
