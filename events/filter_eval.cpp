// Runs filter programs. See filter_program.hpp.
//
// Nothing here allocates except the comparison of an event's id and of a custom type's name by a pattern.
#include <algorithm>

#include "events/dns_text.hpp"
#include "events/filter_program.hpp"

namespace bindcast::filter {
namespace {

using Kind = Fields::Kind;

Scalar text_scalar(std::string_view text) {
  return {.kind = Kind::text, .text = text};
}

Scalar integer_scalar(std::int64_t value) {
  return {.kind = Kind::integer, .integer = value, .real = static_cast<double>(value)};
}

Scalar scalar_of(Fields::Value value) {
  switch (value.kind()) {
    case Kind::boolean:
      return {.kind = Kind::boolean, .boolean = value.boolean()};
    case Kind::integer:
      return integer_scalar(value.integer());
    case Kind::real:
      return {.kind = Kind::real, .real = value.real()};
    case Kind::text:
      return text_scalar(value.text());
    default:
      return {};
  }
}

Scalar scalar_of(const Literal& literal) {
  Scalar value = literal.value;
  value.text = literal.text;
  return value;
}

bool is_number(const Scalar& value) {
  return value.kind == Kind::integer || value.kind == Kind::real;
}

bool equal(const Field& field, const Scalar& value, const Scalar& literal) {
  if (is_number(value) && is_number(literal)) {
    if (value.kind == Kind::integer && literal.kind == Kind::integer) return value.integer == literal.integer;
    return value.real == literal.real;
  }
  if (value.kind != literal.kind) return false;
  if (value.kind == Kind::boolean) return value.boolean == literal.boolean;
  if (value.kind != Kind::text) return false;
  return field.is_name ? name_equal(value.text, literal.text) : value.text == literal.text;
}

template <typename T>
bool ordered(Test test, const T& value, const T& limit) {
  switch (test) {
    case Test::less:
      return value < limit;
    case Test::less_equal:
      return value <= limit;
    case Test::greater:
      return value > limit;
    default:
      return value >= limit;
  }
}

bool ordered(Test test, const Scalar& value, const Scalar& limit) {
  if (value.kind == Kind::integer && limit.kind == Kind::integer) return ordered(test, value.integer, limit.integer);
  if (is_number(value) && is_number(limit)) return ordered(test, value.real, limit.real);
  if (value.kind == Kind::text && limit.kind == Kind::text) return ordered(test, value.text, limit.text);
  return false;
}

bool any_of(const Term& term, const Scalar& value) {
  for (const Literal& literal : term.literals) {
    if (equal(term.field, value, scalar_of(literal))) return true;
  }
  Network found;
  if (term.networks.empty() || value.kind != Kind::text || !parse_network(value.text, found)) return false;
  return std::ranges::any_of(term.networks, [&](const Network& network) { return contains(network, found); });
}

bool holds(const Term& term, const Scalar& value) {
  switch (term.test) {
    case Test::present:
      return true;
    case Test::any_of:
      return any_of(term, value);
    case Test::equal:
      return equal(term.field, value, scalar_of(term.literals.front()));
    case Test::under:
      return value.kind == Kind::text && name_under(value.text, term.literals.front().text);
    case Test::glob:
      return value.kind == Kind::text && glob_match(term.literals.front().text, value.text);
    default:
      return ordered(term.test, value, scalar_of(term.literals.front()));
  }
}

// How a term stands with an event's field.
struct Finding {
  bool present = false;
  bool held = false;  // for at least one of the field's values
};

Finding look(const Term& term, const Scalar& value) {
  return {true, holds(term, value)};
}

Finding look_text(const Term& term, std::string_view text) {
  return text.empty() ? Finding{} : look(term, text_scalar(text));
}

// Walks `path` below `value` and then through arrays, at any place, into all their elements. The depth is bounded by
// the depth of a Fields.
void look_tree(const Term& term, Fields::Value value, std::string_view path, Finding& finding) {
  if (!value || value.kind() == Kind::null) return;
  if (term.test == Test::present && path.empty()) {
    finding = {true, true};
    return;
  }
  if (value.kind() == Kind::array) {
    // An empty array is there, and nothing holds of it.
    if (path.empty()) finding.present = true;
    for (auto element = value.first(); element && !finding.held; element = element.next()) {
      look_tree(term, element, path, finding);
    }
    return;
  }
  if (path.empty()) {
    finding.present = true;
    if (value.kind() != Kind::object && holds(term, scalar_of(value))) finding.held = true;
    return;
  }
  if (const auto whole = value.find(path)) return look_tree(term, whole, {}, finding);
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return;
  look_tree(term, value.find(path.substr(0, dot)), path.substr(dot + 1), finding);
}

Finding look_tree(const Term& term, const Fields& fields) {
  Finding finding;
  if (!fields.empty()) look_tree(term, fields.root(), term.field.path, finding);
  return finding;
}

Finding look_tags(const Term& term, const Event& event) {
  Finding finding;
  for (const std::string& tag : event.tags) {
    finding.present = true;
    finding.held = finding.held || holds(term, text_scalar(tag));
  }
  return finding;
}

// The answer was worked out when the filter was compiled, but for custom types, which the table does not know.
Finding look_type(const Term& term, const Event& event) {
  if (term.test == Test::present || term.accepted[static_cast<std::size_t>(event.type)]) return {true, true};
  if (event.type != EventType::custom_event || event.custom_name.empty()) return {true, false};
  constexpr std::string_view kPrefix = "custom.";
  if (term.test == Test::glob) return look(term, text_scalar(std::string(kPrefix) + event.custom_name));
  for (const Literal& literal : term.literals) {
    const std::string_view text = literal.text;
    if (text.starts_with(kPrefix) && text.substr(kPrefix.size()) == event.custom_name) return {true, true};
  }
  return {true, false};
}

template <typename Enum>
Finding look_vocabulary(const Term& term, Enum value) {
  return {true, term.test == Test::present || term.accepted[static_cast<std::size_t>(value)]};
}

Finding look_field(const Term& term, const Event& event, const StreamIdentity& stream) {
  switch (term.field.source) {
    case Source::data:
      return look_tree(term, event.data);
    case Source::custom_fields:
      return look_tree(term, event.custom_fields);
    case Source::type:
      return look_type(term, event);
    case Source::category:
      return look_vocabulary(term, event.category());
    case Source::priority:
      return look_vocabulary(term, event.priority);
    case Source::severity:
      return look_vocabulary(term, event.severity);
    case Source::timestamp:
      return look(term, integer_scalar(event.timestamp_us));
    case Source::expires_at:
      return event.expires_at_us == 0 ? Finding{} : look(term, integer_scalar(event.expires_at_us));
    case Source::id:
      return look(term, text_scalar(event_id(stream, event.offset)));
    case Source::view:
      return look_text(term, event.view);
    case Source::host:
      return look_text(term, stream.host);
    case Source::source_service:
      return look_text(term, event.source_service);
    case Source::source_component:
      return look_text(term, event.source_component);
    case Source::correlation_id:
      return look_text(term, event.correlation_id);
    case Source::trace_id:
      return look_text(term, event.trace_id);
    case Source::tags:
      return look_tags(term, event);
    case Source::sampled:
      return event.sampled <= 1 ? Finding{} : look(term, integer_scalar(event.sampled));
    case Source::source_user_id:
      return look_text(term, event.source_user_id);
    case Source::target_user_id:
      return look_text(term, event.target_user_id);
  }
  return {};
}

}  // namespace

bool run(const Program& program, const Event& event, const StreamIdentity& stream) {
  bool value = false;
  for (std::size_t at = 0; at < program.steps.size(); ++at) {
    const Step& step = program.steps[at];
    switch (step.kind) {
      case Step::Kind::term: {
        const Term& term = program.terms[step.operand];
        const Finding finding = look_field(term, event, stream);
        value = finding.present && finding.held != term.negated;
        break;
      }
      case Step::Kind::negate:
        value = !value;
        break;
      case Step::Kind::skip_if_false:
        if (!value) at = step.operand - 1;
        break;
      case Step::Kind::skip_if_true:
        if (value) at = step.operand - 1;
        break;
    }
  }
  return value;
}

}  // namespace bindcast::filter
