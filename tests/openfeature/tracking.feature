# Written from the text of the OpenFeature specification, version 0.8, section 6, and 2.7.
Feature: What visitors do is tracked

  Background:
    Given a ready provider

  @req-6.1.1.1 @req-2.7.1
  Scenario: An event is told to the provider
    Given a visitor "visitor-1"
    When the event "checkout" is tracked
    Then nothing was raised
    And the event "checkout" reached the provider for "visitor-1"

  @req-6.2.1
  Scenario: An event has a value
    Given a visitor "visitor-1"
    When the event "checkout" is tracked with the value 49.9
    Then the event "checkout" reached the provider with the value 49.9

  @req-6.2.2
  Scenario: An event has fields of its own
    Given a visitor "visitor-1"
    When the event "checkout" is tracked with the value 49.9 and the field "currency" as "EUR"
    Then the event "checkout" reached the provider with the value 49.9

  @req-6.1.3
  Scenario Outline: Contexts are merged as for an evaluation
    Given targeting keys on these levels: <levels>
    When the event "checkout" is tracked
    Then the event "checkout" reached the provider for "<winner>"

    Examples:
      | levels                               | winner      |
      | API, transaction, client, invocation | invocation  |
      | API, transaction, client             | client      |
      | API, transaction                     | transaction |
      | API                                  | API         |

  @req-2.7.1 @req-2.5.1
  Scenario: What was tracked is told before a provider is shut down
    Given a visitor "visitor-1"
    When the event "checkout" is tracked with the value 49.9
    And the API is shut down
    Then the event "checkout" reached the provider with the value 49.9

  @req-6.1.4
  Scenario: Tracking in a domain without a provider of its own does nothing bad
    When the event "checkout" is tracked after the API is shut down
    Then nothing was raised
