# Written from the text of the OpenFeature specification, version 0.8, section 3: how contexts are merged.
Feature: Contexts are merged

  Background:
    Given a ready provider

  # Each row has one level less: the highest of those that are there decides.
  @req-3.2.1.1 @req-3.2.3 @req-3.3.1.1 @req-4.3.5
  Scenario Outline: The highest level wins
    Given the attribute "tier" on these levels: <levels>
    When the details of the string flag "tier.name" are evaluated with the default "none"
    Then the value is "<winner>"

    Examples:
      | levels                                            | winner      |
      | API, transaction, client, invocation, before hook | before hook |
      | API, transaction, client, invocation              | invocation  |
      | API, transaction, client                          | client      |
      | API, transaction                                  | transaction |
      | API                                               | API         |
      | API, before hook                                  | before hook |
      | transaction, client                               | client      |
      | transaction, invocation                           | invocation  |
      | API, client                                       | client      |
      | client, before hook                               | before hook |

  @req-3.2.3
  Scenario: What is on one level alone stays
    Given the attribute "member" as "gold" on the level "API"
    And the attribute "tier" on these levels: transaction, client
    When the details of the string flag "member.greeting" are evaluated with the default "none"
    Then the value is "Hi gold"
    When the details of the string flag "tier.name" are evaluated with the default "none"
    Then the value is "client"

  @req-3.1.1 @req-3.2.3
  Scenario Outline: The targeting key of the highest level wins
    Given targeting keys on these levels: <levels>
    When the details of the boolean flag "flags.enabled" are evaluated with the default false
    Then the provider was asked for the visitor "<winner>"

    Examples:
      | levels                                            | winner      |
      | API, transaction, client, invocation, before hook | before hook |
      | API, transaction, client, invocation              | invocation  |
      | API, transaction, client                          | client      |
      | API, transaction                                  | transaction |
      | API                                               | API         |

  @req-3.2.3
  Scenario: What one evaluation says does not reach the next
    When the details of the string flag "member.greeting" are evaluated with the default "none" and the attribute "member" as "gold"
    Then the value is "Hi gold"
    When the details of the string flag "member.greeting" are evaluated with the default "none"
    Then the value is "Hi all"

  @req-3.2.1.1 @req-3.2.3
  Scenario: The context of one client is not that of another
    Given the attribute "member" as "gold" on the level "client"
    When the string flag "member.greeting" is evaluated in the domain "elsewhere"
    Then the value is "Hi all"

  @req-3.3.1.2.1 @req-3.3.1.2.2
  Scenario: A transaction in another thread has a context of its own
    Given the attribute "member" as "gold" on the level "transaction"
    When the string flag "member.greeting" is evaluated in another thread
    Then the value is "Hi all"
    When the details of the string flag "member.greeting" are evaluated with the default "none"
    Then the value is "Hi gold"

  @req-3.1.2
  Scenario Outline: Attributes of every type are taken
    When the details of the string flag "typed.<name>" are evaluated with the default "none" and the attribute "<name>" as <json>
    Then nothing was raised
    And there is no error

    Examples:
      | name    | json                |
      | boolean | true                |
      | number  | 7.5                 |
      | text    | "seven"             |
      | moment  | 2026-11-27T10:00:00 |
      | list    | ["a", "b"]          |
      | nested  | {"a": {"b": 1}}     |
