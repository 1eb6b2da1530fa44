// What the terms of a filter may say: field names, vocabularies, which test fits which field. See filter_parser.hpp.
#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "events/dns_text.hpp"
#include "events/filter_parser.hpp"
#include "events/timestamp.hpp"

namespace bindcast::filter {
namespace {

struct EnvelopeField {
  std::string_view name;
  Source source;
  bool in_metadata;  // written inside "metadata" in the event's JSON, so "metadata." may stand before it
};

constexpr EnvelopeField kEnvelope[] = {
    {"id", Source::id, false},
    {"type", Source::type, false},
    {"category", Source::category, false},
    {"priority", Source::priority, false},
    {"severity", Source::severity, false},
    {"timestamp", Source::timestamp, false},
    {"expires_at", Source::expires_at, false},
    {"source_user_id", Source::source_user_id, false},
    {"target_user_id", Source::target_user_id, false},
    {"data", Source::data, false},
    {"view", Source::view, true},
    {"host", Source::host, true},
    {"source_service", Source::source_service, true},
    {"source_component", Source::source_component, true},
    {"correlation_id", Source::correlation_id, true},
    {"trace_id", Source::trace_id, true},
    {"tags", Source::tags, true},
    {"sampled", Source::sampled, true},
    {"custom_fields", Source::custom_fields, true},
};

// Members of data that hold domain names.
constexpr std::string_view kNameFields[] = {"qname", "name", "zone", "policy_zone", "rule"};

const EnvelopeField* find_envelope(std::string_view name) {
  const auto found = std::ranges::find(kEnvelope, name, &EnvelopeField::name);
  return found == std::end(kEnvelope) ? nullptr : found;
}

std::string_view name_of(Source source) {
  return std::ranges::find(kEnvelope, source, &EnvelopeField::source)->name;
}

bool is_tree(Source source) {
  return source == Source::data || source == Source::custom_fields;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, changed});
    }
  }
  return row.back();
}

// ── Vocabularies: type, category, priority, severity ──────────────────────────

template <typename Enum>
std::vector<std::string_view> names(std::size_t count) {
  std::vector<std::string_view> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = to_text(static_cast<Enum>(i));
  return all;
}

// The names of an envelope field with a closed vocabulary, in rank order; none for another field.
std::vector<std::string_view> vocabulary(Source source) {
  switch (source) {
    case Source::type:
      return names<EventType>(kEventTypeCount);
    case Source::category:
      return names<Category>(kCategoryCount);
    case Source::priority:
      return names<Priority>(kPriorityCount);
    case Source::severity:
      return names<Severity>(kSeverityCount);
    default:
      return {};
  }
}

bool is_custom_type(std::string_view name) {
  constexpr std::string_view kPrefix = "custom.";
  return name.starts_with(kPrefix) && name.size() > kPrefix.size();
}

[[noreturn]] void fail_unknown(Source source, const std::vector<std::string_view>& known, const Operand& operand) {
  std::string message = "unknown " + std::string(name_of(source)) + " " + quoted(operand.literal.text);
  if (source == Source::type) {
    // A name much longer than any known one is no slip of the finger; comparing its front bounds the work.
    const std::string_view written = std::string_view(operand.literal.text).substr(0, 64);
    const auto nearest = std::ranges::min(known, {}, [&](std::string_view n) { return edit_distance(written, n); });
    message += "; the nearest known one is " + quoted(nearest);
  } else {
    message += "; one of ";
    for (const std::string_view name : known) message.append(name).append(name == known.back() ? "" : ", ");
  }
  throw Fault{operand.column, message};
}

bool ranks(Test test, std::size_t value, std::size_t limit) {
  switch (test) {
    case Test::less:
      return value < limit;
    case Test::less_equal:
      return value <= limit;
    case Test::greater:
      return value > limit;
    case Test::greater_equal:
      return value >= limit;
    default:
      return value == limit;
  }
}

// Works out the answer for every value of the vocabulary. The literals stay: custom types are compared with them.
void finish_vocabulary(Term& term, const std::vector<std::string_view>& known, const std::vector<Operand>& operands) {
  for (const Operand& operand : operands) {
    const std::string& text = operand.literal.text;
    if (term.test == Test::glob) {
      for (std::size_t i = 0; i < known.size(); ++i) {
        if (glob_match(text, known[i])) term.accepted.set(i);
      }
      continue;
    }
    const auto found = std::ranges::find(known, text);
    if (found == known.end()) {
      if (term.field.source == Source::type && is_custom_type(text)) continue;
      fail_unknown(term.field.source, known, operand);
    }
    const auto limit = static_cast<std::size_t>(found - known.begin());
    for (std::size_t i = 0; i < known.size(); ++i) {
      if (ranks(term.test, i, limit)) term.accepted.set(i);
    }
  }
}

// ── Other fields ──────────────────────────────────────────────────────────────

bool is_ordered(Test test) {
  return test == Test::less || test == Test::less_equal || test == Test::greater || test == Test::greater_equal;
}

void finish_timestamp(std::vector<Operand>& operands) {
  for (Operand& operand : operands) {
    const auto unix_us = timestamp_from(operand.literal.text);
    if (!unix_us) {
      throw Fault{operand.column,
                  quoted(operand.literal.text) + " is not an RFC 3339 time; write it as 2026-11-23T14:02:11Z"};
    }
    operand.literal.value = {.kind = Fields::Kind::integer, .integer = *unix_us, .real = static_cast<double>(*unix_us)};
  }
}

// The items of `in` that are addresses or networks.
void take_networks(Term& term, const std::vector<Operand>& operands) {
  for (const Operand& operand : operands) {
    Network network;
    if (parse_network(operand.literal.text, network)) {
      term.networks.push_back(network);
    } else if (operand.literal.text.find('/') != std::string::npos) {
      throw Fault{operand.column, quoted(operand.literal.text) +
                                      " is not a network, as 192.0.2.0/24 or 2001:db8::/32; "
                                      "another text with a slash is compared by ="};
    }
  }
}

void require_text(std::string_view subject, std::span<const Operand> operands) {
  for (const Operand& operand : operands) {
    if (operand.literal.value.kind != Fields::Kind::text) {
      throw Fault{operand.column, std::string(subject) + " is compared with a text in quotes"};
    }
  }
}

void require_test(const Term& term, std::size_t op_column, bool allowed, std::string_view fitting) {
  if (!allowed) {
    throw Fault{op_column, std::string(name_of(term.field.source)) + " can be compared by " + std::string(fitting)};
  }
}

}  // namespace

Field resolve_field(const Token& word) {
  constexpr std::string_view kMetadata = "metadata";
  std::string_view path = word.text;
  const auto head = [&] { return path.substr(0, path.find('.')); };
  bool in_metadata = false;
  if (head() == kMetadata) {
    in_metadata = true;
    path.remove_prefix(std::min(kMetadata.size() + 1, path.size()));
  }
  const EnvelopeField* known = find_envelope(head());
  if (in_metadata && (known == nullptr || !known->in_metadata)) {
    std::string message = "metadata has no member " + quoted(path) + "; one of ";
    std::string_view separator;
    for (const EnvelopeField& field : kEnvelope) {
      if (field.in_metadata) message.append(std::exchange(separator, ", ")).append(field.name);
    }
    throw Fault{word.column, message};
  }
  Field field;
  if (known != nullptr && path == known->name) {
    field.source = known->source;
  } else if (known != nullptr && is_tree(known->source)) {
    field.source = known->source;
    field.path = path.substr(known->name.size() + 1);
  } else if (known != nullptr) {
    throw Fault{word.column, std::string(known->name) + " has no members; a member of data is written data." +
                                 std::string(known->name) + ".…"};
  } else {
    field.path = path;
  }
  if (field.source == Source::data) {
    const std::size_t dot = field.path.rfind('.');
    const std::string_view last = std::string_view(field.path).substr(dot == std::string::npos ? 0 : dot + 1);
    field.is_name = std::ranges::find(kNameFields, last) != std::end(kNameFields);
  }
  return field;
}

void finish_term(Term& term, std::size_t op_column, std::vector<Operand> operands) {
  const Source source = term.field.source;
  const std::vector<std::string_view> known = vocabulary(source);
  if (!known.empty()) {
    const bool ranked = source == Source::priority || source == Source::severity;
    require_test(term, op_column, term.test != Test::under && (ranked || !is_ordered(term.test)),
                 ranked ? "= != < <= > >= ~ in, not in" : "= != ~ in, not in");
    require_text(name_of(source), operands);
    finish_vocabulary(term, known, operands);
  } else if (source == Source::timestamp || source == Source::expires_at) {
    require_test(term, op_column, term.test != Test::under && term.test != Test::glob, "= != < <= > >= in, not in");
    require_text(name_of(source), operands);
    finish_timestamp(operands);
  } else if (term.test == Test::under || term.test == Test::glob) {
    require_test(term, op_column, source != Source::sampled, "= != < <= > >= in, not in");
    require_text(term.test == Test::under ? "under" : "~", operands);
  } else if (is_tree(source)) {
    for (const Operand& operand : operands) {
      if (is_ordered(term.test) && operand.literal.value.kind == Fields::Kind::boolean) {
        throw Fault{operand.column, "true and false are compared by = != in, not in"};
      }
    }
    if (term.test == Test::any_of && !term.field.is_name) take_networks(term, operands);
  } else if (source == Source::sampled) {
    for (const Operand& operand : operands) {
      const Fields::Kind kind = operand.literal.value.kind;
      if (kind != Fields::Kind::integer && kind != Fields::Kind::real) {
        throw Fault{operand.column, "sampled is compared with a number"};
      }
    }
  } else {
    require_text(name_of(source), operands);
  }
  for (Operand& operand : operands) term.literals.push_back(std::move(operand.literal));
}

}  // namespace bindcast::filter
